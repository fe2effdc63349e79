-- Ledger.reserve. ask: patience, owner (the channel to ring), amounts, margins.
-- Answers granted, now, wait, known, queued.
local patience, amounts, margins = ask[6], ask[8], ask[9]
local book
if fresh then redis.call('DEL', KEYS[2]) end
if current then
  records[id] = read[2] and cmsgpack.unpack(read[2]) or false
else
  book = opened()
  book.advance()
  book.pump()
  book.record(id)
end
local mine = records[id]
if mine and mine[1] == 1 then
  answer = {0, 0, 0, 1, mine[3], 0, 1, 0}
elseif not mine and s[WAITING] == 0 and fits(amounts, margins) then
  grant(id, amounts)
  answer = {0, 0, 0, 1, now, 0, 1, 0}
else
  book = book or opened()
  local due, known, queued
  if mine then
    due, known = book.due(mine[5], mine[6], id)
    mine[2], mine[3], mine[4] = now + lease, due, known
    put(id, mine)
    queued = 1
  else
    due, known = book.due(amounts, margins)
    queued = (due - now > patience or patience <= 0) and 0 or 1
    if queued == 1 then
      book.enqueue(id, {0, now + lease, due, known, amounts, margins, ask[7]})
    end
  end
  answer = {0, 0, 0, 0, now, due - now, known, queued}
end
