-- KEYS: the session. ARGV: person or nothing, data, how long in ms, how lists of persons begin.
-- A person's list holds the names of sessions by their end, and lasts as long as the longest of them.
local lasts = tonumber(ARGV[3])
local before = redis.call('HGET', KEYS[1], 'person')
if before and before ~= '' then
  redis.call('ZREM', ARGV[4] .. before, KEYS[1])
end
redis.call('HSET', KEYS[1], 'person', ARGV[1], 'data', ARGV[2])
redis.call('PEXPIRE', KEYS[1], lasts)
if ARGV[1] ~= '' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local list = ARGV[4] .. ARGV[1]
  redis.call('ZREMRANGEBYSCORE', list, '-inf', now - 1000)
  redis.call('ZADD', list, now + lasts, KEYS[1])
  if redis.call('PTTL', list) < lasts then
    redis.call('PEXPIRE', list, lasts)
  end
end
return 1
