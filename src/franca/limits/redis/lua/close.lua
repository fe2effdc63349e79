-- Write what has changed, ring whom it concerns, answer.
set = set or {':head', ''}
if book then book.list() end
if counts then
  for name, pair in pairs(counts) do
    set[#set + 1] = name
    set[#set + 1] = struct.pack('<dd', pair[1], pair[2])
  end
end
touch = touch or now - s[$TOUCHED] > ask[$TTL] / 8
if touch then s[$TOUCHED] = now end
local last = $HEAD + $EACH * windows + 1
s[last] = epoch
set[2] = struct.pack(ask[4], unpack(s, 1, last))
for k = 1, #set, 4000 do redis.call('HSET', KEYS[1], unpack(set, k, math.min(k + 3999, #set))) end
if gone then
  for k = 1, #gone, 4000 do
    redis.call('HDEL', KEYS[1], unpack(gone, k, math.min(k + 3999, #gone)))
  end
end
if touch then
  local rest = math.floor((ask[$TTL] + math.max(s[$HOLD] - now, s[$BACK] - now, 0)) / 1000)
  redis.call('PEXPIRE', KEYS[1], rest)
  redis.call('PEXPIRE', KEYS[2], rest)
end
if rung then
  for k = 1, #rung, 2 do redis.call('PUBLISH', rung[k], rung[k + 1]) end
end
answer = epoch .. '\0' .. struct.pack('<' .. string.rep('i8', #answer + 1), s[$SEQ], unpack(answer))
if texts then return {answer, texts} end
return answer
