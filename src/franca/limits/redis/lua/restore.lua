-- After the server forgot, or was away: a member puts back what it was granted. Asked, with no epoch
-- known: member; how long the window is; the epoch that was, the members expected, a channel to tell
-- the others ('': none), and {id, at, settled (1, and 2 more where the server has never heard of
-- it), for how long it still holds, amounts...}...
-- Answers how many are still awaited.
-- The field ':back': up to when the book is true by itself, who is awaited, who has restored.
-- include cells
-- include book
local member = ask[6]
local was, expected, channel, entries = cmsgpack.unpack(ARGV[3])
local packed = redis.call('HGET', KEYS[1], ':back')
local young = not packed and s[$BACK] > now -- begun by somebody who could not know of more
local back
if fresh or young or epoch == was then
  epoch, touch = ask[2], true
  s[$BACK], s[$SEQ] = max(s[$BACK], now + ask[own + 3]), max(s[$SEQ], ask[own + 2])
  back = {young and 0 or before, {[member] = 1}, {}}
  for _, each in ipairs(expected) do back[2][each] = 1 end
  if channel ~= '' then rung = {channel, KEYS[1]} end
else
  back = packed and cmsgpack.unpack(packed) or {0, {}, {}}
end

if next(back[2]) ~= nil then -- each may know of some whom the first did not
  for _, each in ipairs(expected) do
    if not back[3][each] then back[2][each] = 1 end
  end
end

local function restore(entry)
  local which, at, settled, rest = entry[1], min(entry[2], now), entry[3] % 2, entry[4]
  local known = book.record(which)
  if known and known[1] == 1 then
    if settled == 0 then return end
    s[$BUSY] = s[$BUSY] - 1
    book.put(which, false)
    for i = 1, windows do add(i, entry[4 + i] - known[4 + i], known[3]) end
    return
  end
  if known then book.leave(which, known) end
  if at < back[1] and entry[3] < 2 then return end -- the book has it, and its end
  for i = 1, windows do add(i, entry[4 + i], at) end
  if settled == 0 then
    local record = {1, now + rest, at, 1}
    for i = 1, windows do
      record[4 + i], record[4 + windows + i] = entry[4 + i], s[$EACH * i + $USED]
    end
    record[5 + 2 * windows] = ''
    s[$BUSY], s[$EXPIRY] = s[$BUSY] + 1, min(s[$EXPIRY], record[2])
    book.put(which, record)
  end
end

if not back[3][member] then
  local ids = {}
  for k, entry in ipairs(entries) do ids[k] = entry[1] end
  book.fetch(ids)
  for _, entry in ipairs(entries) do restore(entry) end
  back[3][member], back[2][member] = 1, nil
  if next(back[2]) == nil then s[$BACK] = 0 end
  set[#set + 1], set[#set + 2] = ':back', cmsgpack.pack(back)
end
book.pump()
local awaited = 0
for _ in pairs(back[2]) do awaited = awaited + 1 end
answer = {awaited}
