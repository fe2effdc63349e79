-- Write what has changed, ring whom it concerns, answer.
if touch or now - s[TOUCHED] > rules[4] / 8 then
  touch, s[TOUCHED] = true, now
end
s[numbers + 1] = epoch
s[numbers + 2] = nil -- unpack tells where it stopped
local set, gone = {'head', struct.pack(layout, unpack(s))}, {}
for name, value in pairs(fields) do
  if value then
    set[#set + 1], set[#set + 2] = name, value
  else
    gone[#gone + 1] = name
  end
end
for k = 1, #set, 4000 do redis.call('HSET', KEYS[1], unpack(set, k, min(k + 3999, #set))) end
for k = 1, #gone, 4000 do redis.call('HDEL', KEYS[1], unpack(gone, k, min(k + 3999, #gone))) end
if touch then
  local rest = floor((rules[4] + max(s[HOLD] - now, s[BACK] - now, 0)) / 1000)
  redis.call('PEXPIRE', KEYS[1], rest)
  redis.call('PEXPIRE', KEYS[2], rest)
end
for k = 1, #rung, 2 do redis.call('PUBLISH', rung[k], rung[k + 1]) end
answer[1], answer[2], answer[3] = 1, epoch, s[SEQ]
return answer
