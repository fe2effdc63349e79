-- Ledger.look. Answers now, busy, waiting, hold, then use and limit of each window.
if fresh then
  answer = {0, now, 0, 0, 0}
  for i = 1, windows do answer[2 * i + 4], answer[2 * i + 5] = 0, ask[3 * i + $LIMIT] end
  return '\0' .. struct.pack('<' .. string.rep('i8', #answer), unpack(answer))
end
-- include cells
-- include book
book.pump()
answer = {now, s[$BUSY], s[$WAITING], max(s[$HOLD] - now, s[$BACK] - now, 0)}
for i = 1, windows do
  answer[2 * i + 3], answer[2 * i + 4] = s[$EACH * i + $USED], book.limit(i)
end
