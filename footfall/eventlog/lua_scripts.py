"""The Lua scripts of the log. Each uses the keys of one partition only, so one slot."""

from hashlib import sha1


class Script:
    """A script and the digest that Redis knows it by."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = sha1(source.encode(), usedforsecurity=False).hexdigest()


# The limit on the memory of a partition is checked first and the XADD comes last, so an error
# reply means that nothing was appended.
CAP = """
local used = redis.call('MEMORY', 'USAGE', KEYS[1])
if used and used > tonumber(ARGV[1]) then
  return redis.error_reply('FULL the partition is at its cap of ' .. ARGV[1] .. ' bytes')
end
"""
# The fields' letters, and "ordinal" as the name of the offset's key, stay as stored data has them.
ADD = """
local offset = redis.call('INCR', KEYS[2])
local id = redis.call('XADD', KEYS[1], '*',
  's', ARGV[2], 'n', ARGV[3], 't', ARGV[4], 'o', offset, 'b', body)
"""

# KEYS: stream, offset   ARGV: limit in bytes, producer id, sequence, at, body
APPEND = Script(f"""{CAP}
local body = ARGV[5]
{ADD}
return {{id}}
""")

# KEYS: stream, offset, cached page   ARGV: limit in bytes, producer id, sequence, at
# A cached page is a list: the body of its event, the page, the keys of its counters. If one of the
# counters is gone or has a tombstone ('-'), the page is removed.
APPEND_CACHED = Script(f"""{CAP}
local cached = redis.call('LRANGE', KEYS[3], 0, -1)
local body = cached[1]
if not body then
  return false
end
local counters = {{}}
if #cached > 2 then
  counters = redis.call('MGET', unpack(cached, 3))
  for i = 1, #counters do
    if not counters[i] or counters[i] == '-' then
      redis.call('DEL', KEYS[3])
      return false
    end
  end
end
{ADD}
return {{id, cached[2], counters}}
""")

# KEYS: stream   ARGV: position's id, producer id, sequence, oldest id to keep, bytes to keep
# Trims only before an entry that is the expected one. Otherwise a process that was suspended while
# Redis came back empty, with its clock behind, would remove entries that were never read. Removes
# 100 entries at a time, as many as one node of a stream has, down to the bytes to keep.
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
