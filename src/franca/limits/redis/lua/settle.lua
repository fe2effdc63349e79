-- Ledger.settle. Asked: hold, what is billed of each window; then window, limit and remaining of each
-- word of the vendor.
local hold, words = ask[own + 3], own + 4 + windows
local spoken = #ask > words -- the last of all tells where the asking ends
-- include cells

-- The end of a granted lease.
local function finish(mine)
  local lasted = now - mine[3]
  if s[$KEPT] ~= 0 then lasted = s[$KEPT] + math.floor((lasted - s[$KEPT]) / 8) end
  s[$KEPT], s[$BUSY] = lasted, s[$BUSY] - 1
  for i = 1, windows do
    local more = ask[own + 3 + i] - mine[4 + i]
    if more ~= 0 then add(i, more, mine[3]) end
  end
end

if current and not spoken and hold == 0 then
  if read[2] then
    finish({struct.unpack(ask[5], read[2])})
    gone = {id}
  end
else
  -- include book
  local mine = book.record(id)
  if mine and mine[1] == 0 then
    book.leave(id, mine)
    mine = false
  elseif mine then
    finish(mine)
    book.put(id, false)
  end
  for k = words, #ask - 1, 3 do
    local i = ask[k]
    local base = $EACH * i
    add(i, -s[base + $FOREIGN], s[base + $FOREIGN_AT])
    s[base + $CAP], s[base + $UNTIL] = ask[k + 1], now + ask[3 * i + $SPAN]
    -- the word is about the time of the grant
    local used, at = mine and mine[4 + windows + i] or s[base + $USED], mine and mine[3] or now
    local foreign = max(book.limit(i) - used - ask[k + 2], 0)
    s[base + $FOREIGN], s[base + $FOREIGN_AT] = foreign, at
    add(i, foreign, at)
  end
  if hold > 0 then
    s[$HOLD], touch = max(s[$HOLD], now + hold), true
  elseif hold < 0 then
    s[$HOLD] = 0
  end
  book.pump()
end
answer = {1}
