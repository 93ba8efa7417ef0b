-- SPDX-License-Identifier: MIT
-- The parts of the language whose order would differ from run to run, made anew.

local next = next

-- Numbers before texts before booleans, each by size.
local rank = {number = 1, string = 2, boolean = 3}
local function key_less(a, b)
    local ra, rb = rank[type(a)], rank[type(b)]
    if ra ~= rb then
        return ra < rb
    end
    if ra == 3 then
        return not a and b
    end
    return a < b
end

-- Stable, so that equal elements stay as they were: merges runs of doubling length.
local function merge(from, to, low, middle, high, less)
    local i, j = low, middle
    for k = low, high - 1 do
        if i < middle and (j >= high or not less(from[j], from[i])) then
            to[k], i = from[i], i + 1
        else
            to[k], j = from[j], j + 1
        end
    end
end

function table.sort(list, less)
    less = less or function(a, b) return a < b end
    local n, from, to = #list, list, {}
    local width = 1
    while width < n do
        for low = 1, n, 2 * width do
            merge(from, to, low, math.min(low + width, n + 1), math.min(low + 2 * width, n + 1), less)
        end
        from, to = to, from
        width = 2 * width
    end
    if from ~= list then
        for i = 1, n do
            list[i] = from[i]
        end
    end
end

-- Keys in order.
function pairs(t)
    local keys = {}
    for k in next, t do
        if not rank[type(k)] then
            error("pairs goes by the order of keys: they are numbers, texts or booleans", 2)
        end
        keys[#keys + 1] = k
    end
    table.sort(keys, key_less)
    local i = 0
    return function()
        i = i + 1
        return keys[i], t[keys[i]]
    end
end

_G.next = nil
