#!/usr/bin/python3
# tests/nn/torch_exchange.py -- passes a ConvNetPReLU unchanged from PyTorch to Slope and back, and
# networks wrapped by torch.compile or DataParallel from PyTorch to Slope.
#
#  - Run it with a Python that has torch, and the folder of the two test programs:
#        make build/float/tests/nn/check_conv_module build/float/tests/nn/check_load_with
#        /usr/bin/python3 tests/nn/torch_exchange.py build/float/tests/nn
#    (or the folder of the double build). The exit status is 0 if all outputs agree.
#  - torch.compile needs PyTorch 2; with an older one, those cases are skipped.
#  - save() is all that is needed to write a file that module_load accepts; load(), from
#    load_safetensors.py, reads what module_save wrote.
#
# SPDX-License-Identifier: MIT
import json
import os
import subprocess
import sys
import tempfile
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', folder) for folder in ('golden', 'tensor/files')]
sys.dont_write_bytecode = True
from load_safetensors import load  # noqa: E402
from make_golden_conv import ConvNetPReLU  # noqa: E402

DTYPES = {torch.float32: 'F32', torch.float64: 'F64', torch.int64: 'I64'}


def save(tensors, path):
    """Writes named tensors as safetensors: a length, a JSON header, the elements."""
    header, data = {}, b''
    for name, t in tensors.items():
        numbers = t.detach().contiguous().numpy().tobytes()
        header[name] = {'dtype': DTYPES[t.dtype], 'shape': list(t.shape),
                        'data_offsets': [len(data), len(data) + len(numbers)]}
        data += numbers
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)  # so that the elements are aligned
    with open(path, 'wb') as f:
        f.write(len(text).to_bytes(8, 'little') + text + data)


def make_net(x):
    """A network whose running statistics have moved, with distinct slopes, some negative."""
    torch.manual_seed(1)
    net = ConvNetPReLU(dropout=0.5)
    for module in net.modules():
        if isinstance(module, torch.nn.PReLU):
            module.weight.data = torch.linspace(-0.25, 0.75, module.num_parameters)
    for scale in 1, 2, 3:
        net(scale * x)
    return net


def compare(label, found, expected):
    tolerance = 1e-5 if found.dtype == torch.float32 else 1e-12
    worst = ((found - expected).abs().max() / expected.abs().max()).item()
    print('%s: outputs differ by at most %.2g of the largest output' % (label, worst))
    return worst <= tolerance


def exchange(program):
    """Both directions, with the network itself."""
    x = torch.randn(6, 2, 8, 8, generator=torch.Generator().manual_seed(2))
    net = make_net(x)
    with tempfile.TemporaryDirectory() as folder:
        save({'x': x}, folder + '/input.safetensors')
        save(net.state_dict(), folder + '/theirs.safetensors')
        subprocess.run([program, folder], check=True)
        output, ours = (load('%s/%s.safetensors' % (folder, name)) for name in ('output', 'ours'))
    dtype = output['ours'].dtype
    net, x = net.to(dtype).eval(), x.to(dtype)
    well = compare("PyTorch's network, loaded by Slope", output['theirs'], net(x))
    before = {name: t.clone() for name, t in net.state_dict().items()}
    net.load_state_dict(ours, strict=True)
    well &= compare("Slope's network, loaded by PyTorch", output['ours'], net(x))
    changed = [name for name, t in net.state_dict().items() if not torch.equal(t, before[name])]
    print('%d tensors; changed by forward passes in training mode: %s'
          % (len(ours), ' '.join(changed)))
    statistics = 'running_mean', 'running_var', 'num_batches_tracked'
    return well & (len(changed) == 6 and all(name.endswith(statistics) for name in changed))


def wrap(net):
    """The network as training programs wrap it; each wrapper puts a prefix before its names."""
    wrapped = {'parallel': torch.nn.DataParallel(net)}
    if hasattr(torch, 'compile'):
        compiled = torch.compile(net, backend='eager')  # the names do not depend on the backend
        wrapped.update(compiled=compiled, parallel_compiled=torch.nn.DataParallel(compiled),
                       compiled_parallel=torch.compile(wrapped['parallel'], backend='eager'))
    else:
        print('PyTorch %s has no torch.compile: skipped' % torch.__version__)
    return wrapped


def exchange_wrapped(program):
    """From PyTorch to Slope. The wrappers share the network, so all outputs must be the same."""
    x = torch.randn(6, 2, 8, 8, generator=torch.Generator().manual_seed(3))
    net = make_net(x)
    wrapped = wrap(net)
    with tempfile.TemporaryDirectory() as folder:
        save({'x': x}, folder + '/input.safetensors')
        for wrapper in wrapped.values():
            wrapper(x)  # compiles it, and updates the running statistics
        for name, wrapper in wrapped.items():
            save(wrapper.state_dict(), '%s/%s.safetensors' % (folder, name))
        subprocess.run([program, folder], check=True)
        outputs = load(folder + '/outputs.safetensors')
    dtype = outputs['parallel'].dtype
    expected = net.to(dtype).eval()(x.to(dtype))
    well = [compare('wrapped as ' + name, outputs[name], expected) for name in wrapped]
    return all(well) and len(outputs) == len(wrapped)


def main(folder):
    well = exchange(folder + '/check_conv_module')
    return 0 if exchange_wrapped(folder + '/check_load_with') and well else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
