-- Ledger.settle. ask: hold, what is billed (empty: nothing), then window, limit and remaining of
-- each word of the vendor.
-- include book
local hold, billed = ask[6], ask[7]
local mine = book.record(id)
if mine and mine[1] == 0 then
  book.leave(id, mine)
  mine = false
elseif mine then
  local lasted = now - mine[3]
  s[$KEPT] = s[$KEPT] == 0 and lasted or s[$KEPT] + floor((lasted - s[$KEPT]) / 8)
  s[$BUSY] = s[$BUSY] - 1
  book.put(id, false)
  for i = 1, windows do
    local more = (billed[i] or 0) - mine[4 + i]
    if more ~= 0 then book.add(i, more, mine[3]) end
  end
end
for k = 8, #ask, 3 do
  local i = ask[k]
  local base = $EACH * i
  book.add(i, -s[base + $FOREIGN], s[base + $FOREIGN_AT])
  s[base + $CAP], s[base + $UNTIL] = ask[k + 1], now + rules[3 * i + 6]
  -- the word is about the time of the grant
  local used, at = mine and mine[4 + windows + i] or s[base + $USED], mine and mine[3] or now
  local foreign = max(book.limit(i) - used - ask[k + 2], 0)
  s[base + $FOREIGN], s[base + $FOREIGN_AT] = foreign, at
  book.add(i, foreign, at)
end
if hold > 0 then
  s[$HOLD], touch = max(s[$HOLD], now + hold), true
elseif hold < 0 then
  s[$HOLD] = 0
end
book.pump()
answer = {}
