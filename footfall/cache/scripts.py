"""The Lua scripts of the cached pages. Each touches the keys of one partition only, so one slot."""

from footfall.eventlog.scripts import Script

# KEYS: what is prepared, its lease, number of misses   ARGV: token, milliseconds
# 1: the caller prepares it, which is a miss. 0: it is there, or there was no room, also a miss.
# -1: somebody else prepares it.
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
  return 1
end
return -1
""")

# KEYS: what is prepared, its lease, bytes prepared of late, keys of the numbers...
# ARGV: token, cap in bytes, milliseconds to keep it, body, value, numbers...
# Whoever made it forget the page took the lease away, too: what was read before that is not put.
# A number that is there and higher was published since ours was read, or the database came back
# with an older past: it stays, and expires in its time however often it is put. All others outlive
# what is prepared. 1: it was put. 0: it was not. -1: there is no room.
PUT = Script("""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[2])
local life = tonumber(ARGV[3])
local size = #ARGV[4] + #ARGV[5] + 100 * #KEYS
local spent = redis.call('INCRBY', KEYS[3], size)
redis.call('PEXPIRE', KEYS[3], 2 * life)
if spent > tonumber(ARGV[2]) then
  redis.call('DECRBY', KEYS[3], size)
  return -1
end
for i = 4, #KEYS do
  local held, number = redis.call('GET', KEYS[i]), ARGV[i + 2]
  if held == '-' then
    return 0
  elseif not held or tonumber(held) <= tonumber(number) then
    redis.call('SET', KEYS[i], number, 'PX', 2 * life)
  end
end
redis.call('DEL', KEYS[1])
redis.call('RPUSH', KEYS[1], ARGV[4], ARGV[5], unpack(KEYS, 4))
redis.call('PEXPIRE', KEYS[1], life)
return 1
""")

# KEYS: of numbers   ARGV: numbers
# Only those that are there, and only upwards: of two publishers, the slower one changes nothing.
# Answers which are there: the first is 1.
RAISE = Script("""
local there = {}
local held = redis.call('MGET', unpack(KEYS))
for i, number in ipairs(ARGV) do
  if held[i] and held[i] ~= '-' then
    there[#there + 1] = i
    if tonumber(held[i]) < tonumber(number) then
      redis.call('SET', KEYS[i], number, 'XX', 'KEEPTTL')
    end
  end
end
return there
""")
