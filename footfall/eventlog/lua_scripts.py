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
# The header begins with the offset: see envelope.py. If its key is of a wrong type, or its value no
# offset, it counts on from the length of the stream: nothing depends on it but how much waits.
ADD = """
local offset = redis.pcall('INCR', KEYS[2])
if type(offset) ~= 'number' or offset < 1 or offset > 2^52 then
  offset = redis.call('XLEN', KEYS[1]) + 1
  redis.call('SET', KEYS[2], offset)
end
local packed = struct.pack('>I8', offset)
local id = redis.call('XADD', KEYS[1], '*', 'h', packed .. ARGV[2], 'b', body)
"""

# KEYS: stream, offset   ARGV: limit in bytes, rest of the header, body
APPEND = Script(f"""{CAP}
local body = ARGV[3]
{ADD}
return {{id}}
""")

# KEYS: stream, offset, cached page   ARGV: limit in bytes, rest of the header
# A cached page is a list: the body of its event, the page, the key of its generation, the keys of
# its counters. If one of these is gone, or a counter has a tombstone ('-'), the page is removed.
APPEND_CACHED = Script(f"""{CAP}
local cached = redis.call('LRANGE', KEYS[3], 0, -1)
local body = cached[1]
if not body then
  return false
end
local counters = redis.call('MGET', unpack(cached, 3))
for i = 1, #counters do
  if not counters[i] or counters[i] == '-' then
    redis.call('DEL', KEYS[3])
    return false
  end
end
table.remove(counters, 1)
{ADD}
return {{id, cached[2], counters}}
""")

# KEYS: stream
# ARGV: position's id, oldest id to keep, bytes to keep, producer id and sequence: packed, and each
# as text, for entries of version 1
# Trims only before an entry that is the expected one. Otherwise a process that was suspended while
# Redis came back empty, with its clock behind, would remove entries that were never read. Removes
# 100 entries at a time, as many as one node of a stream has, down to the bytes to keep.
TRIM = Script("""
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not entry then
  return 0
end
local fields = entry[2]
local is_expected = fields[2] == ARGV[5] and fields[4] == ARGV[6]
if fields[1] == 'h' then
  is_expected = string.sub(fields[2], 9, 20) == ARGV[4]
end
if not is_expected then
  return 0
end
local trimmed = redis.call('XTRIM', KEYS[1], 'MINID', '~', ARGV[2], 'LIMIT', 100000)
for _ = 1, 1000 do
  if redis.call('MEMORY', 'USAGE', KEYS[1]) <= tonumber(ARGV[3]) then
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
