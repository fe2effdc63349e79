-- Ledger.renew, and the scope's members. ask: member, ids. KEYS[3]: the members, by when each
-- expires. Answers the members that live.
local ids = ask[7]
if fresh then redis.call('DEL', KEYS[2]) end
for first = 1, #ids, 1000 do
  local names = {}
  for k = first, min(first + 999, #ids) do names[#names + 1] = 'l' .. ids[k] end
  for k, packed in ipairs(redis.call('HMGET', KEYS[1], unpack(names))) do
    if packed then
      local record = cmsgpack.unpack(packed)
      record[2] = record[1] == 1 and max(record[2], clock + keep) or clock + lease
      put(ids[first + k - 1], record)
    end
  end
end
s[NOW] = before -- as Ledger.renew, this moves nothing else
redis.call('ZADD', KEYS[3], string.format('%.0f', now + lease), ask[6])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[3], floor(lease / 1000) + 1)
answer = {0, 0, 0, redis.call('ZRANGE', KEYS[3], 0, -1)}
touch = true
