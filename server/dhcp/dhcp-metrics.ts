/** Upper bounds of the histogram in seconds: the target for the slowest hundredth is 0.01. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1] as const;

/** What /metrics says of DHCP: answers by type, what became of the rest, and how long answers took. */
export class DhcpMetrics {
  /** By type, then by result. */
  readonly #results = new Map<string, Map<string, number>>();
  readonly #buckets: number[] = BOUNDS.map(() => 0);
  #sum = 0;
  #count = 0;

  /** `type`: what was asked; `result`: what was answered, or `ignored`, `malformed`, `limited`. Both are words of ours. */
  count(type: string, result: string): void {
    let ofType = this.#results.get(type);
    if (ofType === undefined) {
      ofType = new Map();
      this.#results.set(type, ofType);
    }
    ofType.set(result, (ofType.get(result) ?? 0) + 1);
  }

  /** From the arrival in this process until the answer was given to the kernel. */
  took(milliseconds: number): void {
    const seconds = milliseconds / 1000;
    this.#sum += seconds;
    this.#count++;
    const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
  }

  /** Lines in the text format of Prometheus. */
  lines(): readonly string[] {
    let below = 0;
    const buckets = BOUNDS.map((bound, i) => {
      below += this.#buckets[i] ?? 0;
      return `anybios_dhcp_answer_seconds_bucket{le="${bound}"} ${below}`;
    });
    return [
      '# HELP anybios_dhcp_packets_total DHCP packets by what was asked and what became of it.',
      '# TYPE anybios_dhcp_packets_total counter',
      ...Array.from(this.#results, ([type, ofType]) =>
        Array.from(ofType, ([result, n]) => `anybios_dhcp_packets_total{type="${type}",result="${result}"} ${n}`),
      ).flat(),
      '# HELP anybios_dhcp_answer_seconds Time from a DHCP packet to its answer.',
      '# TYPE anybios_dhcp_answer_seconds histogram',
      ...buckets,
      `anybios_dhcp_answer_seconds_bucket{le="+Inf"} ${this.#count}`,
      `anybios_dhcp_answer_seconds_sum ${this.#sum}`,
      `anybios_dhcp_answer_seconds_count ${this.#count}`,
    ];
  }
}
