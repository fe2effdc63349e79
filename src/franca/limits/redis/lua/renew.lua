-- Ledger.renew, and the scope's members. Asked: member; a channel on which the others are told of a
-- new one, and the ids. KEYS[3]: the members, by when each expires. Answers the members that live.
local channel, ids = unpack(cmsgpack.unpack(ARGV[3]))
set = {':head', ''}
for first = 1, #ids, 1000 do
  local names = {unpack(ids, first, math.min(first + 999, #ids))}
  for k, packed in ipairs(redis.call('HMGET', KEYS[1], unpack(names))) do
    if packed then
      local record = {struct.unpack(ask[5], packed)}
      record[2] = record[1] == 1 and math.max(record[2], clock + ask[$KEEP]) or clock + ask[$LEASE]
      set[#set + 1] = names[k]
      set[#set + 1] = struct.pack(ask[5], unpack(record, 1, 5 + 2 * windows))
    end
  end
end
s[$NOW], now = before, clock -- as in Ledger.renew, this moves nothing else
local new = redis.call('ZADD', KEYS[3], string.format('%.0f', clock + ask[$LEASE]), ask[6]) == 1
if new and channel ~= '' then rung = {channel, KEYS[1]} end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', clock))
redis.call('PEXPIRE', KEYS[3], math.floor(ask[$LEASE] / 1000) + 1)
answer, texts = {1}, redis.call('ZRANGE', KEYS[3], 0, -1)
touch = true
