-- Lua has patterns of its own, which do less; they find the same here.
local lines = {
    "Nov 30 12:00:01 mx1 smtpd[4711]: 5F3A1B2C: from=<joe@example.com>, size=10240, nrcpt=1",
    "Nov 30 12:00:02 mx1 smtp[4712]: 5F3A1B2C: to=<ann@example.org>, relay=mx.example.org[192.0.2.25]:25, delay=1.5, dsn=2.0.0, status=sent (250 OK)",
    "Nov 30 12:00:03 mx1 smtp[4713]: 6A7B8C9D: to=<bob@example.net>, relay=none, delay=30, dsn=4.4.1, status=deferred (connect to mx.example.net[198.51.100.7]:25: Connection timed out)",
    "Nov 30 12:00:04 mx2 anvil[99]: statistics: max connection rate 1/60s for (smtp:203.0.113.9) at Nov 30 11:56:42",
}
local sent, bytes, delay, words = 0, 0, 0, 0
for i = 0, 59999 do
    local line = lines[i % 4 + 1]
    local _, _, _, _, _, _, address = string.match(line, "^(%w%w%w +%d+ [%d:]+) (%S+) (%w+)%[(%d+)%]: (%x%x%x%x%x%x%x%x): (%w+)=<([^>]*)>")
    if address then words = words + #address end
    if string.find(line, "status=sent%f[%W]") then sent = sent + 1 end
    local size = string.match(line, "size=(%d+)")
    if size then bytes = bytes + tonumber(size) end
    local seconds = string.match(line, "delay=([%d.]+), dsn=(%d)%.(%d)%.(%d)")
    if seconds then delay = delay + tonumber(seconds) end
    if string.gsub(line, "%[%d+%.%d+%.%d+%.%d+%]", "[ip]") ~= line then words = words + 1 end
end
print(string.format("%.14g", sent + bytes + delay + words))
