"""The capacity plan as one mixed-integer linear programme, built in sparse arrays.

In words: over the steps of a receding horizon, choose how many replicas every pool has, which orders
to give now so that they are ready in time, and which region serves whose requests, so that demand is
served at the least price.

Indices: pool p = (region r, model m, VM type g), demand c = (origin o, model m, tier k), step t of
h_t hours, flow arc a = (c, p), redeployment arc e = (p → p′, same region and VM type).

Variables, all ≥ 0:

    n[p,t] ∈ ℤ   replicas that serve in step t          u[p,t] ∈ ℤ   starts ordered at t
    d[p,t] ∈ ℤ   releases at the beginning of t         y[e,t] ∈ ℤ   redeployments ordered at t
    x[a,t]       requests per second over arc a         s[c,t]       demand that nobody serves
    v[i,t]       what a cover row i lacks               l[p,t]       replicas below the floor
    b[t]         dollars per hour above the budget

Rows (an order at t is ready at its arrival step, `NEVER` when that lies beyond the horizon):

    served     Σ_a∈c x[a,t] + s[c,t] = demand[c,t]
    capacity   Σ_a∈p x[a,t] / θ_a ≤ ρ_p · n[p,t]                    ρ linearised at a pool size
    work       Σ_a∈p w_at · x[a,t] ≤ σ · n[p,t]                     optional: see below
    balance    n[p,t] = n[p,t−1] + ordered before + Σ u ready at t + Σ y ready at t − Σ y out − d
    quota      Σ_p∈(r,g) n + starts and redeployments under way ≤ quota[r,g,t]
    cover i    Σ_p w_ip · ρ_p · n[p,t] + v[i,t] ≥ need[i,t]           own share, all regions, N − 1
    floor      n[p,t] + l[p,t] ≥ lower[p,t]                         minimum, override, held pools
    budget     Σ_p price_p · (n + under way) − b[t] ≤ budget

    min  Σ_t h_t · ( Σ price·(n + under way) + Σ cost_a·x + Σ price_c·s + Σ price_i·v + price_l·l
         + price_b·b ) + Σ start·u + Σ change·(u + d) + Σ redeploy·y

Where patient work yields to bursts, demand and capacity rows speak of peak minutes and leave batch work out
(1/θ = 0 there), and the work rows of what is to be done over the whole step, w being the replicas that a
flow keeps busy then and σ how full a pool may run: it needs the larger of the two, not their sum.

Shortage, uncovered needs, floors and the budget are priced far above any replica, so only quotas and
upper bounds can make the programme infeasible. A missing arc is a residency rule, a latency budget or
a VM type that cannot meet the tier's SLO.

Heliostat's plan uses all of it. SageServe's integer programme (POMACS 9(3) 61) is the same programme
with T = 1, orders that arrive at once, no flows, ρ = 1 and two kinds of cover rows: ε · (own peak) in
every region, and the peak of the sum over all regions.
"""
