-- SPDX-License-Identifier: MIT
-- NSDI'12, figure 6a: a second path of 50 kbit/s beside WiFi.
scenario("A weak second path must cost nothing (NSDI'12, figure 6a)")
local window = param("window", 200, "KB", "send and receive buffer")
local variant = param("variant", "default", "", "wifi: TCP on that path; else the scheduler")
local cc = param("cc", "lia", "", "congestion control")
plot{name = "goodput", title = "WiFi 8 Mbit/s and 3G 50 kbit/s", x = "window", y = "goodput",
     series = "variant", xlabel = "window, KB", ylabel = "Mbit/s"}

local config = {cc = cc, tcp = variant == "wifi", send_buffer_bytes = window * KB,
                send_buffer_max_bytes = window * KB, recv_buffer_bytes = window * KB,
                recv_buffer_max_bytes = window * KB}
if variant ~= "wifi" and variant ~= "default" then
    config.scheduler = variant
end
local client, server = host("client", config), host("server", config)
local s = server:iface("10.0.1.2")
path(client:iface("10.0.1.1"), s, "rate=8mbit,delay=10ms,queue=80ms")
if variant ~= "wifi" then
    path(client:iface("10.0.2.1"), s, "rate=50kbit,delay=75ms,queue=2s")
end

local _, _, reader = bulk{from = client, to = s, start = random() * 0.05, stop = 60}
local mbps = goodput(reader, 5, 60)
finish{limit = 300}
figure("goodput", "Mbit/s", mbps())
