local function counter()
    local n = 0
    return function(step) n = n + step return n end
end
local function compose(f, g) return function(x) return g(f(x)) end end
local sum = 0
local counters = {}
for i = 1, 1000 do counters[i] = counter() end
for round = 0, 1999 do
    for i, c in ipairs(counters) do if (i - 1) % 2 == 0 then sum = sum + c(round) end end
end
local list = {}
for i = 0, 999 do list[i + 1] = i end
local function map(f, t) local r = {} for i, v in ipairs(t) do r[i] = f(v) end return r end
local function filter(f, t) local r = {} for _, v in ipairs(t) do if f(v) then r[#r + 1] = v end end return r end
local function reduce(f, t, first) for _, v in ipairs(t) do first = f(first, v) end return first end
local twice = compose(function(x) return x + 1 end, function(x) return x * 2 end)
for round = 1, 500 do
    local kept = filter(function(x) return x % 3 ~= 0 end, map(twice, list))
    sum = sum + reduce(function(a, b) return a + b end, kept, 0)
end
print(sum)
