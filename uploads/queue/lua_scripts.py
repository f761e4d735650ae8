"""The queue's Lua script. It touches the keys of one queue only, which share a slot."""

from footfall.eventlog.lua_scripts import Script

# KEYS: queue, dead letters   ARGV: id, at, body, reason, dead letters to keep
# Does nothing if the entry is no longer in the queue.
MOVE_TO_DEAD_LETTERS = Script("""
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*',
  'i', ARGV[1], 't', ARGV[2], 'b', ARGV[3], 'r', ARGV[4])
return 1
""")
