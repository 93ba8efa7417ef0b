-- SPDX-License-Identifier: MIT
-- The kernel's selftest simult_flows.sh: 16 MiB over two paths, five pairs of them.
scenario("16 MiB over two paths, as the kernel's selftest measures it (simult_flows.sh)")
local case = param("case", 1, "", "1 to 5: which pair of paths")
local down = param("down", false, "", "from the server to the client")
local scheduler = param("scheduler", "default", "", "of both ends")

local cases = {{10, 10, 0, 0}, {10, 10, 1, 50}, {30, 10, 0, 0}, {30, 10, 1, 50}, {30, 10, 50, 1}}
local r1, r2, d1, d2 = table.unpack(cases[case])
local size = 2048 * 4096 * 2
local config = scheduler ~= "default" and {scheduler = scheduler} or nil
local client, server = host("client", config), host("server", config)
local s = server:iface("10.0.1.2")
path(client:iface("10.0.1.1"), s, {rate = r1 * 1e6, delay = d1 / 1000, queue = "1500kB"})
path(client:iface("10.0.2.1"), s, {rate = r2 * 1e6, delay = d2 / 1000, queue = "1500kB"})

local _, _, reader = bulk{from = client, to = s, bytes = size, down = down}
finish{limit = 120}
local time = reader:times().last
local limit = 8 * 10 * size / ((r1 + r2) * 9e6) + 0.45
figure("time", "s", time)
figure("part of the limit", "%", 100 * time / limit)
figure("part of both rates", "%", 100 * size * 8 / ((r1 + r2) * 1e6 * time))
