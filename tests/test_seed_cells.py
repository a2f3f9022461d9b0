"""The first version's notebook cells run as they were written, on top of what replaced their insides.

The text of the cells is the original's. Only the Drive paths and ``.cuda()`` are changed before they run.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from PIL import Image

import vto_utils

IMPORTS = """
from PIL import Image
import numpy as np
import torchvision.transforms as T
import torch
import torch.nn as nn
import torch.nn.functional as F

from vto_utils import load_image, remove_background_rgb, preprocess, GMM, TryOnSynthesizer
"""

TRAINING = """
gmm = GMM().cuda()
tom = TryOnSynthesizer().cuda()
optimizer = torch.optim.Adam(list(gmm.parameters()) + list(tom.parameters()), lr=0.001)

# Optional: Learning rate scheduler
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)

for epoch in range(10):
    # Load and preprocess person image
    person_img_pil = load_image('/content/drive/MyDrive/Colab Notebooks/VTO2/person.png')
    person_img = preprocess(person_img_pil).cuda()

    # Load, remove background, and preprocess cloth image
    cloth_img_pil = load_image('/content/drive/MyDrive/Colab Notebooks/VTO2/cloth.png')
    cloth_img_no_bg = remove_background_rgb(cloth_img_pil)
    cloth_img = preprocess(cloth_img_no_bg).cuda()

    # Forward pass
    warped = gmm(person_img, cloth_img)
    output = tom(person_img, warped)

    # Calculate loss (simulated: ideally, you'd use a ground-truth try-on image here)
    loss = F.l1_loss(output, person_img) # Here, person_img is used as a placeholder target

    # Backpropagation and optimization
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

    # Step the scheduler (if used)
    scheduler.step()

    print(f"Epoch {epoch} - Loss: {loss.item():.4f}")
"""

CHECKPOINT = """
torch.save({
    'gmm': gmm.state_dict(),
    'tom': tom.state_dict()
}, 'virtual_tryon_model.pth')
"""

INFERENCE = """
# Load the test person and garment images
test_person_pil = load_image('/content/drive/MyDrive/Colab Notebooks/VTO2/person.png')
test_person = preprocess(test_person_pil).cuda()

test_cloth_pil = load_image('/content/drive/MyDrive/Colab Notebooks/VTO2/cloth.png')
test_cloth_no_bg = remove_background_rgb(test_cloth_pil)
test_cloth = preprocess(test_cloth_no_bg).cuda()

# Set models to evaluation mode
gmm.eval()
tom.eval()

with torch.no_grad(): # Disable gradient calculations for inference
    warped_test = gmm(test_person, test_cloth)
    output_test = tom(test_person, warped_test)

# Visualize and save result
to_pil = T.ToPILImage()
# Squeeze batch dimension, move to CPU, and clamp pixel values to [0, 1]
result_image = output_test.squeeze(0).cpu().clamp(0, 1)
to_pil(result_image).save('test_tryon_result.png')
"""

DRIVE = "/content/drive/MyDrive/Colab Notebooks/VTO2"
SAMPLES = Path(__file__).parents[1] / "sample_images"


@pytest.fixture(scope="module")
def session(tmp_path_factory, model_files):
    """The cells, run one after the other in one namespace: the folder, the namespace and what was printed."""
    folder = tmp_path_factory.mktemp("drive")
    for kind, name in (("person", "person_1.jpg"), ("cloth", "tshirt_print.jpg")):
        Image.open(SAMPLES / kind / name).save(folder / f"{kind}.png")
    printed: list[str] = []
    namespace = {"print": printed.append}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        torch.manual_seed(0)
        for cell in (IMPORTS, TRAINING, CHECKPOINT, INFERENCE):
            exec(cell.replace(DRIVE, str(folder)).replace(".cuda()", ""), namespace)
    return folder, namespace, printed


def test_training_cell_learns(session):
    _, namespace, printed = session
    losses = [float(re.fullmatch(r"Epoch \d - Loss: (\d\.\d{4})", line)[1]) for line in printed]
    assert len(losses) == 10
    assert losses[-1] < losses[0] / 2
    assert namespace["warped"].shape == namespace["output"].shape == (1, 3, 256, 192)


def test_checkpoint_cell_writes_what_we_read(session):
    folder, namespace, _ = session
    loaded = vto_utils.load_checkpoint(folder / "virtual_tryon_model.pth")
    with torch.no_grad():
        warped = loaded.gmm(namespace["test_person"], namespace["test_cloth"])
        output = loaded.tom(namespace["test_person"], warped)
    assert torch.equal(output, namespace["output_test"])


def test_inference_cell_writes_a_picture(session):
    folder, namespace, _ = session
    result = Image.open(folder / "test_tryon_result.png")
    assert result.mode == "RGB" and result.size == (192, 256)
    difference = (namespace["output_test"] - namespace["test_person"]).abs().mean()
    assert difference < 0.2  # trained towards the person photo, so this is what it shows


def test_same_as_the_packages_own_loop(session):
    """fit_pair is the training cell, without its plumbing."""
    folder, namespace, printed = session
    config = vto_utils.FitConfig(steps=2, device="cpu")
    cloth = vto_utils.remove_background_rgb(vto_utils.load_image(folder / "cloth.png"))
    result = vto_utils.fit_pair(folder / "person.png", cloth, config)
    expected = [float(line.split()[-1]) for line in printed[:2]]
    assert result.losses == pytest.approx(expected, abs=1e-4)
