"""What WavTokenizer and SimVQ have in common: one encoder, one codebook, one Vocos decoder.

Both encode with EnCodec's SEANet encoder and decode with a Vocos backbone whose spectra an inverse
Fourier transform turns into sound. They differ in the encoder's padding, in the backbone's norms
and in how the codebook was learnt. Read in the order of the signal: `seanet.py`, `codebook.py`,
`backbone.py`, `istft.py`, and `modeling_vocos.py`, which puts them together.
"""
