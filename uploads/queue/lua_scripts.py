"""The queue's Lua scripts. Each one touches the keys of one queue only, which share a slot."""

from footfall.eventlog.lua_scripts import Script

# KEYS: queue   ARGV: group, id
# Deletes the entry, too: the stream holds only entries that are waiting or being processed.
ACKNOWLEDGE = Script("""
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return redis.call('XDEL', KEYS[1], ARGV[2])
""")

# KEYS: queue, dead letters   ARGV: group, id, at, body, reason, dead letters to keep
# Does nothing if the entry is no longer in the queue. An empty id: Redis has lost the entry.
MOVE_TO_DEAD_LETTERS = Script("""
if ARGV[2] ~= '' and #redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2]) == 0 then
  return 0
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], '*',
  'i', ARGV[2], 't', ARGV[3], 'b', ARGV[4], 'r', ARGV[5])
if ARGV[2] == '' then
  return 1
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return redis.call('XDEL', KEYS[1], ARGV[2])
""")

# KEYS: queue   ARGV: ids
EXISTING = Script("""
local found = {}
for _, id in ipairs(ARGV) do
  if #redis.call('XRANGE', KEYS[1], id, id) == 1 then
    found[#found + 1] = id
  end
end
return found
""")
