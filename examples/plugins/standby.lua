-- SPDX-License-Identifier: MIT
-- A path manager: beside the first subflow one from each other local address, as a
-- backup, to where the first one goes. One that fails is tried again after a second,
-- then two, four, up to a minute.

local SECOND_US, PAUSE_MAX_US = 1000000, 60000000

local function begin(self)
    self.failures, self.not_before = {}, {} -- by the local address's ID
end

local function taken(view, id)
    for _, s in ipairs(view.subflows) do
        if s.local_id == id then
            return true
        end
    end
    return false
end

-- The first subflow's remote address has the ID 0, and is the first of the list.
local function fits(view, from)
    local to = view.remotes[1]
    return from.usable and to.usable and from.family == to.family
end

local function failed(self, view, id)
    local n = self.failures[id] or 0
    self.failures[id] = n + 1
    self.not_before[id] = view.now_us + math.min(SECOND_US << math.min(n, 6), PAUSE_MAX_US)
end

local function decide(self, view, event)
    local actions, wake_us, id = {}, nil, view.news.subflow.local_id
    if event == "subflow_failed" then
        failed(self, view, id)
    elseif event == "subflow_established" then
        self.failures[id] = nil
    end
    for _, l in ipairs(view.locals) do
        local at = self.not_before[l.id] or 0
        local wanted = view.opens and fits(view, l) and not taken(view, l.id) and #actions < 16
        if wanted and at <= view.now_us then
            actions[#actions + 1] = { "open", from = l.id, to = 0, backup = true }
        elseif wanted then
            wake_us = math.min(wake_us or at, at)
        end
    end
    return actions, wake_us
end

local function why_not(self, view, from, to)
    if to.id ~= 0 then
        return "only where the first subflow goes"
    end
    if not fits(view, from) then
        return "it does not fit"
    end
    return taken(view, from.id) and "there is one from this address" or "not now"
end

return { summary = "a backup from each address", begin = begin, decide = decide, why_not = why_not }
