-- What came of a load, as one JSON document at the end of what wrk prints; latencies come in microseconds.
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format('\n{"perSecond":%f,"sent":%d,"failed":%d,"p50":%f,"p95":%f,"p99":%f}\n',
    summary.requests / summary.duration * 1e6, summary.requests, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
