local function build(lines)
    local parts = {}
    for i = 0, lines - 1 do
        parts[#parts + 1] = "line " .. i .. ": user" .. i % 100 .. "@example.com\r\n"
    end
    return table.concat(parts)
end
local function split(text)
    local list, from = {}, 1
    while true do
        local at = string.find(text, "\r\n", from, true)
        if not at then list[#list + 1] = string.sub(text, from) return list end
        list[#list + 1] = string.sub(text, from, at - 1)
        from = at + 2
    end
end
local total = 0
for round = 1, 5 do
    local text = build(200000)
    local lines = split(text)
    total = total + #text + #lines + #string.upper(text) + string.find(text, "line 199999", 1, true) - 1
    total = total + #string.gsub(text, "example", "host") + #table.concat(lines, "\n")
end
print(total)
