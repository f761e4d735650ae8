"""The Lua scripts of the queue. Each touches the keys of one queue only, so one slot."""

from footfall.eventlog.scripts import Script

# KEYS: queue   ARGV: group, id
# An entry that is done leaves the stream, too: it holds what waits, and nothing else.
ACKNOWLEDGE = Script("""
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return redis.call('XDEL', KEYS[1], ARGV[2])
""")

# KEYS: queue, dead letters   ARGV: group, id, at, body, reason, letters to keep
# Who comes second finds the entry gone and buries nothing. Without an id it was gone before.
BURY = Script("""
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
PRESENT = Script("""
local found = {}
for _, id in ipairs(ARGV) do
  if #redis.call('XRANGE', KEYS[1], id, id) == 1 then
    found[#found + 1] = id
  end
end
return found
""")
