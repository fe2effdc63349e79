-- Ledger.reserve. ask: patience, owner, amounts, margins.
-- Answers granted, now, wait, known, queued.
if current and not read[2] and fits(ask, 7) then
  set[3] = id
  set[4] = struct.pack(rules[7], unpack(grant(ask, 7)))
  answer = {1, epoch, 0, 1, now, 0, 1, 0}
else
  -- include book
  book.pump()
  local mine = book.record(id)
  if mine and mine[1] == 1 then
    answer = {1, epoch, 0, 1, mine[3], 0, 1, 0}
  elseif not mine and s[$WAITING] == 0 and fits(ask, 7) then
    book.put(id, grant(ask, 7))
    answer = {1, epoch, 0, 1, now, 0, 1, 0}
  elseif mine then
    mine[2] = now + rules[2]
    mine[3], mine[4] = book.due(mine, 4, id)
    book.put(id, mine)
    answer = {1, epoch, 0, 0, now, mine[3] - now, mine[4], 1}
  else
    local due, known = book.due(ask, 7)
    local queued = (due - now <= ask[6] and ask[6] > 0) and 1 or 0
    if queued == 1 then
      local record = {0, now + rules[2], due, known}
      for place = 1, 2 * windows do record[4 + place] = ask[7 + place] end
      record[5 + 2 * windows] = ask[7]
      book.enqueue(id, record)
    end
    answer = {1, epoch, 0, 0, now, due - now, known, queued}
  end
end
