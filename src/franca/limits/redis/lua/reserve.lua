-- Ledger.reserve. Asked: owner; patience, amounts, margins.
-- Answers granted, now, wait, known, queued, and where it is granted how many leases are.
local first = own + 3
if current and not read[2] and fits(ask, first) then
  set = {':head', '', id, struct.pack(ask[5], unpack(grant(ask, first)))}
  answer = {1, now, 0, 1, 0, s[$BUSY]}
else
  -- include cells
  -- include book
  book.pump()
  local mine = book.record(id)
  if mine and mine[1] == 1 then
    answer = {1, mine[3], 0, 1, 0, s[$BUSY]}
  elseif not mine and s[$WAITING] == 0 and fits(ask, first) then
    book.put(id, grant(ask, first))
    answer = {1, now, 0, 1, 0, s[$BUSY]}
  elseif mine then
    mine[2] = now + ask[$LEASE]
    mine[3], mine[4] = book.due(mine, 4, id)
    book.put(id, mine)
    answer = {0, now, mine[3] - now, mine[4], 1, 0}
  else
    local due, known = book.due(ask, first)
    local queued = (due - now <= ask[first] and ask[first] > 0) and 1 or 0
    if queued == 1 then
      local record = {0, now + ask[$LEASE], due, known}
      for place = 1, 2 * windows do record[4 + place] = ask[first + place] end
      record[5 + 2 * windows] = ask[6]
      book.enqueue(id, record)
    end
    answer = {0, now, due - now, known, queued, 0}
  end
end
