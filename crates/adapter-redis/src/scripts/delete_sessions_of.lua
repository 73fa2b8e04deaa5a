-- KEYS: the person's list.
for _, session in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  redis.call('DEL', session)
end
return redis.call('DEL', KEYS[1])
