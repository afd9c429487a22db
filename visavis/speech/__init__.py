"""Speech: recognisers, synthesisers, voice activity, text normalisation and the models behind them."""
