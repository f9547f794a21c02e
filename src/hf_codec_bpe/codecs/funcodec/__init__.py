"""FunCodec of the EnCodec kind (Du et al. 2023): configuration, model and converter."""
