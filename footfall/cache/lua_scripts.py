"""The Lua scripts of the cached pages. Each uses the keys of one partition only, so one slot."""

from footfall.eventlog.lua_scripts import Script

# KEYS: cached page, its lease, number of misses, generation of the pages
# ARGV: token, milliseconds, milliseconds that a new generation lives
# Name of the generation: the caller has the lease, which is a miss. 0: the page is cached; or it
# cannot be, which is a miss, too. -1: another caller has the lease.
LEASE = Script("""
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
if redis.call('GET', KEYS[2]) == '-' then
  redis.call('INCR', KEYS[3])
  return 0
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  redis.call('INCR', KEYS[3])
  redis.call('SET', KEYS[4], ARGV[1], 'NX', 'PX', ARGV[3])
  return redis.call('GET', KEYS[4])
end
return -1
""")

# KEYS: cached page, its lease, bytes stored in this period, generation of the pages, key that is
#   there as long as the generation of this page is valid, its counters...
# ARGV: token, limit in bytes, milliseconds to live, name of its generation, body, page, values of
#   the counters...
# 1: stored. 0: not stored. -1: there is no room.
# An invalidation removes the lease, too, so a page that was read before it is not stored. Nor is
# one that was read before all pages were discarded.
# A counter in Redis that is higher was published after ours was read, or comes from before the
# database was restored: it stays, and expires in its time however often the page is stored. All
# other counters outlive the page.
STORE = Script("""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[2])
if redis.call('GET', KEYS[4]) ~= ARGV[4] then
  return 0
end
local life = tonumber(ARGV[3])
local size = #ARGV[5] + #ARGV[6] + 100 * #KEYS
local spent = redis.call('INCRBY', KEYS[3], size)
redis.call('PEXPIRE', KEYS[3], 2 * life)
if spent > tonumber(ARGV[2]) then
  redis.call('DECRBY', KEYS[3], size)
  return -1
end
for i = 6, #KEYS do
  local held, value = redis.call('GET', KEYS[i]), ARGV[i + 1]
  if held == '-' then
    return 0
  elseif not held or tonumber(held) <= tonumber(value) then
    redis.call('SET', KEYS[i], value, 'PX', 2 * life)
  end
end
redis.call('PEXPIRE', KEYS[4], 2 * life)
redis.call('SET', KEYS[5], '', 'PX', 2 * life)
redis.call('DEL', KEYS[1])
redis.call('RPUSH', KEYS[1], ARGV[5], ARGV[6], unpack(KEYS, 5))
redis.call('PEXPIRE', KEYS[1], life)
return 1
""")

# KEYS: counters   ARGV: their values
# Increases the counters that exist and are lower: of two publishers, the slower changes nothing.
# Returns which counters exist: the first is 1.
INCREASE = Script("""
local existing = {}
local held = redis.call('MGET', unpack(KEYS))
for i, value in ipairs(ARGV) do
  if held[i] and held[i] ~= '-' then
    existing[#existing + 1] = i
    if tonumber(held[i]) < tonumber(value) then
      redis.call('SET', KEYS[i], value, 'XX', 'KEEPTTL')
    end
  end
end
return existing
""")

# KEYS: counters   ARGV: milliseconds, their values
# Increases those that are lower, and adds those that are missing for so long: then a page that is
# stored meanwhile shows no less.
RAISE = Script("""
local held = redis.call('MGET', unpack(KEYS))
for i, key in ipairs(KEYS) do
  local value = ARGV[i + 1]
  if not held[i] then
    redis.call('SET', key, value, 'PX', ARGV[1])
  elseif held[i] ~= '-' and tonumber(held[i]) < tonumber(value) then
    redis.call('SET', key, value, 'KEEPTTL')
  end
end
""")

# KEYS: generation of the pages   ARGV: the key of a generation, without its name
# Only removes, which Redis allows at `maxmemory`, too.
DISCARD = Script("""
local generation = redis.call('GET', KEYS[1])
if generation then
  redis.call('DEL', KEYS[1], ARGV[1] .. generation)
end
""")
