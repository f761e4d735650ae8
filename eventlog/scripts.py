"""The Lua scripts of the log. Each touches the keys of one partition only, so one slot."""

from hashlib import sha1


class Script:
    """A script and the digest that Redis knows it by."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = sha1(source.encode(), usedforsecurity=False).hexdigest()


# KEYS: stream, ordinal, keys to read...   ARGV: cap in bytes, session, seq, at, body
# The XADD comes last, so that an error reply means that nothing was appended. Reads come before it.
APPEND = Script("""
local used = redis.call('MEMORY', 'USAGE', KEYS[1])
if used and used > tonumber(ARGV[1]) then
  return redis.error_reply('FULL the partition is at its cap of ' .. ARGV[1] .. ' bytes')
end
local values = {}
if #KEYS > 2 then
  values = redis.call('MGET', unpack(KEYS, 3))
end
local ordinal = redis.call('INCR', KEYS[2])
local id = redis.call('XADD', KEYS[1], '*',
  's', ARGV[2], 'n', ARGV[3], 't', ARGV[4], 'o', ordinal, 'b', ARGV[5])
return {id, values}
""")

# KEYS: stream   ARGV: position's id, session, seq, oldest id to keep, bytes that may be kept
# Only trims below an entry that is the expected one: a process that slept while Redis came back
# empty, its clock behind, would otherwise remove entries that nobody has read. It shrinks by 100
# at a time, the entries in a node of a stream, to the size that may be kept and not below.
TRIM = Script("""
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not entry or entry[2][2] ~= ARGV[2] or entry[2][4] ~= ARGV[3] then
  return 0
end
local trimmed = redis.call('XTRIM', KEYS[1], 'MINID', '~', ARGV[4], 'LIMIT', 100000)
for _ = 1, 1000 do
  if redis.call('MEMORY', 'USAGE', KEYS[1]) <= tonumber(ARGV[5]) then
    break
  end
  local step = redis.call('XTRIM', KEYS[1], 'MINID', '~', ARGV[1], 'LIMIT', 100)
  if step == 0 then
    break
  end
  trimmed = trimmed + step
end
return trimmed
""")
