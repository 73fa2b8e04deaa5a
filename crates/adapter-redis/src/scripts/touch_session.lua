-- KEYS: the session. ARGV: how long in ms, how lists of persons begin.
local lasts = tonumber(ARGV[1])
local person = redis.call('HGET', KEYS[1], 'person')
if not person then
  return 0
end
redis.call('PEXPIRE', KEYS[1], lasts)
if person ~= '' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local list = ARGV[2] .. person
  redis.call('ZADD', list, now + lasts, KEYS[1])
  if redis.call('PTTL', list) < lasts then
    redis.call('PEXPIRE', list, lasts)
  end
end
return 1
