-- SPDX-License-Identifier: MIT
-- NSDI'12, figure 7: how late blocks of 8 KB are read, WiFi and 3G.
scenario("Delay of blocks of 8 KB, WiFi and 3G (NSDI'12, figure 7)")
local window = param("window", 100, "KB", "send and receive buffer, payload")
local variant = param("variant", "default", "", "wifi or 3g: TCP on that path; else the scheduler")
local cc = param("cc", "lia", "", "congestion control")
plot{name = "p99", title = "Delay of the slowest block of a hundred", x = "window", y = "p99",
     series = "variant", xlabel = "window, KB", ylabel = "ms"}

local single = variant == "wifi" or variant == "3g"
local config = {cc = cc, tcp = single, send_buffer_bytes = window * KB,
                send_buffer_max_bytes = window * KB, recv_buffer_bytes = window * KB,
                recv_buffer_max_bytes = window * KB}
if not single and variant ~= "default" then
    config.scheduler = variant
end
local client, server = host("client", config), host("server", config)
local s = server:iface("10.0.1.2")
if variant ~= "3g" then
    path(client:iface("10.0.1.1"), s, "rate=8mbit,delay=10ms,queue=80ms")
end
if variant ~= "wifi" then
    path(client:iface("10.0.2.1"), s, "rate=2mbit,delay=75ms,queue=2s")
end

local _, _, reader = bulk{from = client, to = s, stop = 60, block = 8 * KB}
local before
at(5, function() before = #reader:block_delays() end)
finish{limit = 180}
local delays = {}
for i, d in ipairs(reader:block_delays()) do
    if i > before then
        delays[#delays + 1] = d * 1000
    end
end
figure("p50", "ms", median(delays))
figure("p90", "ms", percentile(delays, 90))
figure("p99", "ms", percentile(delays, 99))
