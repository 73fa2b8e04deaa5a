-- The generic cell rate algorithm: the value is when everything has come back, in µs since 1970.
local each, requests = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full_at = tonumber(redis.call('GET', KEYS[1]) or now)
local after = math.max(full_at, now) + each
local beyond = after - now - each * requests
if beyond > 0 then
  return {0, beyond}
end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
return {1, math.floor(-beyond / each)}
