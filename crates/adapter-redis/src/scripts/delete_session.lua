-- KEYS: the session. ARGV: how lists of persons begin.
local person = redis.call('HGET', KEYS[1], 'person')
if person and person ~= '' then
  redis.call('ZREM', ARGV[1] .. person, KEYS[1])
end
return redis.call('DEL', KEYS[1])
