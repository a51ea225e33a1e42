local seed = 42
local function random() seed = (seed * 16807) % 2147483647 return seed end
local list = {}
for i = 0, 199999 do list[#list + 1] = random() end
local map = {}
for i, n in ipairs(list) do map["key" .. n % 50000] = i - 1 end
local sum = 0
for i = 0, 999999 do if map["key" .. i % 60000] ~= nil then sum = sum + map["key" .. i % 60000] end end
local sorted = table.move(list, 1, #list, 1, {})
table.sort(sorted, function(a, b) return a < b end)
local previous, ordered = 0, true
for _, n in ipairs(sorted) do if n < previous then ordered = false end previous = n end
local keyed = {}
for i = 0, 299999 do
    local k = i % 1000
    if not keyed[k] then keyed[k] = {} end
    keyed[k].count = (keyed[k].count or 0) + i
end
print(sum + previous + keyed[999].count + (ordered and 1 or 0))
