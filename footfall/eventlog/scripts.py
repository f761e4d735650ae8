"""The Lua scripts of the log. Each touches the keys of one partition only, so one slot."""

from hashlib import sha1


class Script:
    """A script and the digest that Redis knows it by."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = sha1(source.encode(), usedforsecurity=False).hexdigest()


# The cap on the memory of a partition comes first, and the XADD last, so that an error reply means
# that nothing was appended.
CAP = """
local used = redis.call('MEMORY', 'USAGE', KEYS[1])
if used and used > tonumber(ARGV[1]) then
  return redis.error_reply('FULL the partition is at its cap of ' .. ARGV[1] .. ' bytes')
end
"""
ADD = """
local ordinal = redis.call('INCR', KEYS[2])
local id = redis.call('XADD', KEYS[1], '*',
  's', ARGV[2], 'n', ARGV[3], 't', ARGV[4], 'o', ordinal, 'b', body)
"""

# KEYS: stream, ordinal   ARGV: cap in bytes, session, seq, at, body
APPEND = Script(f"""{CAP}
local body = ARGV[5]
{ADD}
return {{id}}
""")

# KEYS: stream, ordinal, what is prepared   ARGV: cap in bytes, session, seq, at
# What is prepared is a list: the event's body, a value, the keys of the numbers that go with it.
# If one of them is gone, so is the whole.
APPEND_CACHED = Script(f"""{CAP}
local prepared = redis.call('LRANGE', KEYS[3], 0, -1)
local body = prepared[1]
if not body then
  return false
end
local numbers = {{}}
if #prepared > 2 then
  numbers = redis.call('MGET', unpack(prepared, 3))
  for i = 1, #numbers do
    if not numbers[i] or numbers[i] == '-' then
      redis.call('DEL', KEYS[3])
      return false
    end
  end
end
{ADD}
return {{id, prepared[2], numbers}}
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
