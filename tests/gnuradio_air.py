"""The air of GNU Radio 3.10, run by the system's Python: a file of samples in, another out.

    /usr/bin/python3 gnuradio_air.py IN OUT '{"noise_voltage": 0.1, ...}'

Samples are cf32. `delay` moves them by a part of a sample, `fading` is a block of Rayleigh fading
(its Doppler spread over the sample rate, and a seed); the rest are `channels.channel_model`'s.
The project imports nothing of GNU Radio, nor this file: it is a process beside it.
"""

import json
import sys

from gnuradio import analog, blocks, channels, filter, gr


def air(source, sink, *, noise_voltage=0.0, frequency_offset=0.0, epsilon=1.0, taps=(1.0,), seed=1,
        delay=0.0, fading=None):  # fmt: skip
    """A flowgraph: delay, fading, echoes, carrier and clock offset, noise."""
    graph = gr.top_block()
    chain = [blocks.file_source(gr.sizeof_gr_complex, source)]
    if delay:
        chain.append(filter.mmse_resampler_cc(delay, 1.0))
    if fading:
        spread, fading_seed = fading
        chain.append(channels.fading_model(8, spread, False, 4.0, fading_seed))
    taps = [complex(*tap) if isinstance(tap, list) else complex(tap) for tap in taps]
    chain.append(channels.channel_model(0.0, frequency_offset, epsilon, taps, seed))
    adder = blocks.add_cc()
    chain.append(adder)
    chain.append(blocks.file_sink(gr.sizeof_gr_complex, sink))
    graph.connect(*chain)
    noise = analog.noise_source_c(analog.GR_GAUSSIAN, noise_voltage, seed)
    graph.connect(noise, (adder, 1))
    return graph


if __name__ == "__main__":
    air(sys.argv[1], sys.argv[2], **json.loads(sys.argv[3])).run()
