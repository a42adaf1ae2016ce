"""Who plays the training sound: sound fonts, presets of synthesisers, drum kits."""
