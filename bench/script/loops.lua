local function primes(n)
    local sieve = {}
    for i = 0, n do sieve[i] = true end
    local i = 2
    while i * i <= n do
        if sieve[i] then for j = i * i, n, i do sieve[j] = false end end
        i = i + 1
    end
    local count = 0
    for k = 2, n do if sieve[k] then count = count + 1 end end
    return count
end
local function collatz(most)
    local longest = 0
    for start = 1, most - 1 do
        local n, steps = start, 0
        while n ~= 1 do
            if n % 2 == 0 then n = n // 2 else n = 3 * n + 1 end
            steps = steps + 1
        end
        if steps > longest then longest = steps end
    end
    return longest
end
print(primes(2000000) + collatz(60000))
