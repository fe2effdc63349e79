-- Ledger.settle. ask: hold, billed (nil: nothing), seen {window, limit, remaining}...
local hold, billed, seen = ask[6], ask[7], ask[8]
if fresh then redis.call('DEL', KEYS[2]) end
local book = opened()
book.advance()
local mine, held = book.record(id), false
if mine and mine[1] == 0 then
  book.leave(id, mine)
elseif mine then
  held = mine
  local lasted = now - mine[3]
  s[KEPT] = s[KEPT] == 0 and lasted or s[KEPT] + floor((lasted - s[KEPT]) / 8)
  s[BUSY] = s[BUSY] - 1
  put(id, false)
  for i = 1, windows do
    local more = (billed and billed[i] or 0) - mine[4][i]
    if more ~= 0 then book.add(i, more, mine[3]) end
  end
end
for _, word in ipairs(seen) do
  local i = word[1]
  local base = EACH * i
  book.add(i, -s[base + FOREIGN], s[base + FOREIGN_AT])
  s[base + CAP], s[base + UNTIL] = word[2], now + rules[3 * i + 3]
  -- the word is about the time of the grant
  local used, at = held and held[5][i] or s[base + USED], held and held[3] or now
  local foreign = max(book.limit(i) - used - word[3], 0)
  s[base + FOREIGN], s[base + FOREIGN_AT] = foreign, at
  book.add(i, foreign, at)
end
if hold > 0 then
  s[HOLD], touch = max(s[HOLD], now + hold), true
elseif hold < 0 then
  s[HOLD] = 0
end
book.pump()
answer = {}
