local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
local function ackermann(m, n)
    if m == 0 then return n + 1 end
    if n == 0 then return ackermann(m - 1, 1) end
    local inner = ackermann(m, n - 1)
    return ackermann(m - 1, inner)
end
local sum = 0
for i = 0, 299 do sum = sum + ackermann(2, 40) end
print(fib(30) + sum)
