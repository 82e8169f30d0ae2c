#!/usr/bin/python3
# tests/tensor/files/load_safetensors.py -- checks that PyTorch loads what module_save wrote, and
# computes the same.
#
#  - Run it with a Python that has torch:
#        make build/float/tests/nn/check_checkpoint
#        build/float/tests/nn/check_checkpoint /tmp
#        /usr/bin/python3 tests/tensor/files/load_safetensors.py /tmp
#    (or the double build's). The exit status is 0 if all is well.
#  - load() is all that is needed to read such a file; module_save's names are those of a
#    state_dict, so load_state_dict(..., strict=True) accepts what it returns.
#
# SPDX-License-Identifier: MIT
import json
import sys
import torch
from torch import nn

DTYPES = {'F32': torch.float32, 'F64': torch.float64, 'F16': torch.float16,
          'BF16': torch.bfloat16, 'I64': torch.int64, 'I32': torch.int32, 'U8': torch.uint8}


def load(path):
    """The tensors of a safetensors file, by name."""
    with open(path, 'rb') as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), 'little')))
        data = bytearray(f.read())
    header.pop('__metadata__', None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry['data_offsets']
        dtype = DTYPES[entry['dtype']]
        # frombuffer rejects an empty buffer, so a tensor without elements is cut from zeros
        flat = torch.frombuffer(data[begin:end] or bytearray(8), dtype=dtype)
        tensors[name] = flat[:end - begin].reshape(entry['shape'])
    return tensors


class Net(nn.Module):
    """The network of tests/nn/check_checkpoint.c."""

    def __init__(self):
        super().__init__()
        self.fc1, self.prelu1 = nn.Linear(3, 5), nn.PReLU(5)
        self.block = nn.Sequential(nn.Linear(5, 4), nn.PReLU())
        self.fc2 = nn.Linear(4, 2, bias=False)
        self.fc2.register_buffer('seen', torch.zeros(()))
        self.fc2.register_buffer('count', torch.zeros((), dtype=torch.int64))
        self.register_buffer('mean', torch.zeros(3))

    def forward(self, x):
        return self.fc2(self.block(self.prelu1(self.fc1(x))))


def main(folder):
    run, weights = load(folder + '/run.safetensors'), load(folder + '/net.safetensors')
    net = Net().to(run['x'].dtype)
    net.load_state_dict(weights, strict=True)
    difference = (net(run['x']) - run['y']).abs().max().item()
    good = net.fc2.count.item() == 2**60 + 1
    print('%d tensors of %s loaded; outputs differ by at most %g'
          % (len(weights), run['x'].dtype, difference))
    return 0 if difference < 1e-6 and net.fc2.seen.item() == 1 and good else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
