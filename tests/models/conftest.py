"""What holds for all tests of networks: one thread, as two wait for each other on a busy machine."""

import torch

torch.set_num_threads(1)
