-- Ledger.look. Answers now, busy, waiting, hold, then use and limit of each window.
if fresh then
  answer = {1, '', 0, now, 0, 0, 0}
  for i = 1, windows do answer[2 * i + 6], answer[2 * i + 7] = 0, ask[3 * i + $LIMIT] end
  return answer
end
-- include cells
-- include book
book.pump()
answer = {1, epoch, 0, now, s[$BUSY], s[$WAITING], max(s[$HOLD] - now, s[$BACK] - now, 0)}
for i = 1, windows do
  answer[2 * i + 6], answer[2 * i + 7] = s[$EACH * i + $USED], book.limit(i)
end
