-- After the server forgot, or was away: a member puts back what it was granted. ask: the epoch that
-- was, member, the members expected, how long the window is, and {id, at, amounts, settled, for how
-- long it still holds}... ; asked with no epoch known. Answers how many are still awaited.
-- The field 'back': until when the book is true by itself, who is awaited, who has restored.
local was, member, entries = ask[6], ask[7], ask[10]
local book, back = opened(), nil
book.advance()
if fresh or epoch == was then
  if fresh then redis.call('DEL', KEYS[2]) end
  epoch, touch = ask[4], true
  s[BACK], s[SEQ] = now + ask[9], max(s[SEQ], ask[3])
  back = {before, {[member] = 1}, {}}
  for _, each in ipairs(ask[8]) do back[2][each] = 1 end
else
  local packed = redis.call('HGET', KEYS[1], 'back')
  back = packed and cmsgpack.unpack(packed) or {0, {}, {}}
end

local function restore(which, at, amounts, settled, rest)
  local known = book.record(which)
  if known and known[1] == 0 then book.leave(which, known) end
  if known and known[1] == 1 then
    if settled == 0 then return end
    s[BUSY] = s[BUSY] - 1
    put(which, false)
    for i = 1, windows do book.add(i, amounts[i] - known[4][i], known[3]) end
  elseif at >= back[1] then -- what was granted before is in the book, and has ended there
    for i = 1, windows do book.add(i, amounts[i], at) end
    if settled == 0 then
      s[BUSY], s[EXPIRY] = s[BUSY] + 1, min(s[EXPIRY], now + rest)
      local used = {}
      for i = 1, windows do used[i] = s[EACH * i + USED] end
      put(which, {1, now + rest, at, amounts, used})
    end
  end
end

if not back[3][member] then
  for _, each in ipairs(entries) do restore(each[1], min(each[2], now), each[3], each[4], each[5]) end
  back[3][member], back[2][member] = 1, nil
  if next(back[2]) == nil then s[BACK] = 0 end
  fields.back = cmsgpack.pack(back)
end
book.pump()
local awaited = 0
for _ in pairs(back[2]) do awaited = awaited + 1 end
answer = {0, 0, 0, awaited}
