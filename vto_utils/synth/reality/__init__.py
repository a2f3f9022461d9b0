"""How real models and statistics see the synthetic data: its gap to photographs, in numbers.

::

    python -m vto_utils.synth.reality --count 100 --out reality/             # samples made now
    python -m vto_utils.synth.reality DATA --real PHOTOS --out reality/      # of a folder; next to real photos

What is measured, sample by sample:

* **Pose.** MediaPipe looks at the person in the first garment. A key point's distance to the truth is given in %
  of the torso (neck to the middle of the hips), and split into *out* (along the shoulder line, away from the middle
  of the body) and *down* (along the torso). A median far from 0 there is another convention; the rest is error.
  As a yardstick that real photographs have too, MediaPipe is compared with itself on the mirrored picture.
* **Cut-out.** IoU of rembg's u2netp with the true masks of the person and of the flat garments, at half opacity.
* **Exactness.** The flat garment without light, sampled through the flow, minus the garment on the person without
  light, where the flow is valid (grey levels of 255). Only of samples made now: folders hold no unlit pictures.
* **Consistency** of flow, body parts and the two outfits, which share body and pose:

  - *orientation*: share of valid pixels at which the flow keeps the order of right and below (Jacobian > 0). A
    mirrored or folded flow fails;
  - *jumps*: share of neighbours, valid, on one panel and one depth (0.15 dm), more than 6 median steps apart;
  - *sides*: share of valid garment pixels over a body's left (right) arm that lie on the left (right) half of the
    flat garment; of trousers over the legs likewise;
  - *panels*: share of the pixels valid in both outfits which both take from the front, or both from the back;
  - *agreement*: what B's place in its flat does not tell of A's, for pixels of one body region (torso, arms, legs)
    valid in both. The body point under a pixel has one place in every garment, so one flat's place must follow
    from the other's by a smooth map; what a quadratic leaves (RMS) is given in % of the picture's height.

* **Statistics** of pictures: sizes, layout, colours, gradients, the angles of flat sleeves. With ``--real`` they
  stand next to the same measures of photographs, with the Wasserstein distance in standard deviations (the mean
  of both). The folder may have ``real/person``, ``real/cloth`` (studio and shop photographs), ``ccp``
  (street photographs with labels) and ``clothing`` (garments photographed at home); what is missing is left out.

The folder given by ``--out`` gets ``report.md``, ``rows.json`` (all figures), ``statistics.png`` and sheets of the
samples that pose estimation and cut-out like least.
"""
