"""Triangle meshes: subdivision, smoothing matrices, normals, cutting along a level of a scalar, flattening."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals, area weighted: (V, 3) float32 for vertices (V, 3) and faces (F, 3)."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    normals = np.empty((len(vertices), 3), np.float64)
    corners = faces.ravel()
    for axis in range(3):
        normals[:, axis] = np.bincount(corners, np.repeat(across[:, axis], 3), len(vertices))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return normals.astype(np.float32)


def edges(faces: np.ndarray) -> np.ndarray:
    """Every edge once: (E, 2) int64, smaller index first."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(pairs, axis=1), axis=0)


def neighbour_mean(count: int, faces: np.ndarray) -> sp.csr_matrix:
    """Sparse (V, V) matrix that replaces a vertex by the mean of its neighbours."""
    pairs = edges(faces)
    rows = np.concatenate([pairs[:, 0], pairs[:, 1]])
    columns = np.concatenate([pairs[:, 1], pairs[:, 0]])
    adjacency = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), (count, count))
    degree = np.maximum(np.asarray(adjacency.sum(1)).ravel(), 1)
    return (sp.diags(1 / degree) @ adjacency).tocsr()


def subdivide(count: int, faces: np.ndarray) -> tuple[sp.csr_matrix, np.ndarray]:
    """Split each triangle in four at its edges' midpoints.

    Returns:
        (V', V) sparse matrix giving the new vertices from the old, and the new faces (4F, 3) int32.
    """
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    unique, inverse = np.unique(np.sort(pairs, axis=1), axis=0, return_inverse=True)
    inverse = inverse.reshape(-1) + count
    n = len(faces)
    ab, bc, ca = inverse[:n], inverse[n : 2 * n], inverse[2 * n :]
    a, b, c = faces.T
    new = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    rows = np.repeat(np.arange(len(unique)), 2)
    middle = sp.csr_matrix((np.full(2 * len(unique), 0.5), (rows, unique.ravel())), (len(unique), count))
    return sp.vstack([sp.identity(count, format="csr"), middle]).tocsr(), new.astype(np.int32)


def split(values: np.ndarray, faces: np.ndarray) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
    """Cut triangles exactly where a scalar on the vertices is zero.

    Args:
        values: (V,) scalar; what is exactly zero counts as positive.
        faces: (F, 3).

    Returns:
        (V', V) sparse matrix giving the new vertices from the old (the cut points lie on the old edges), the faces on
        the positive side and those on the negative side, both (*, 3) int32 in the old orientation.
    """
    count = len(values)
    positive = values >= 0
    sides = positive[faces]
    inside = sides.sum(1)
    pairs = edges(faces)
    cut = pairs[positive[pairs[:, 0]] != positive[pairs[:, 1]]]
    share = values[cut[:, 0]] / (values[cut[:, 0]] - values[cut[:, 1]])
    share = np.clip(share, 0.02, 0.98)  # no needle triangles
    rows = np.arange(len(cut))
    points = sp.csr_matrix(
        (np.concatenate([1 - share, share]), (np.concatenate([rows, rows]), np.concatenate([cut[:, 0], cut[:, 1]]))),
        (len(cut), count),
    )
    index = {(int(a), int(b)): count + k for k, (a, b) in enumerate(cut)}

    def point(a: int, b: int) -> int:
        return index[(a, b) if a < b else (b, a)]

    front, back = [faces[inside == 3]], [faces[inside == 0]]
    extra: tuple[list, list] = ([], [])  # positive, negative
    for face, flags, number in zip(faces, sides, inside, strict=True):
        if number in (0, 3):
            continue
        lone = int(np.flatnonzero(flags == (number == 1))[0])
        a, b, c = (int(face[(lone + k) % 3]) for k in range(3))
        ab, ca = point(a, b), point(a, c)
        mine, other = (0, 1) if number == 1 else (1, 0)
        extra[mine].append((a, ab, ca))
        extra[other].extend([(ab, b, c), (ab, c, ca)])
    front.append(np.array(extra[0], np.int32).reshape(-1, 3))
    back.append(np.array(extra[1], np.int32).reshape(-1, 3))
    matrix = sp.vstack([sp.identity(count, format="csr"), points]).tocsr()
    return matrix, np.concatenate(front).astype(np.int32), np.concatenate(back).astype(np.int32)


def largest_piece(count: int, faces: np.ndarray) -> np.ndarray:
    """The faces of the largest connected piece."""
    pairs = edges(faces)
    graph = sp.csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (count, count))
    _, label = sp.csgraph.connected_components(graph, directed=False)
    return faces[label[faces[:, 0]] == np.bincount(label[faces[:, 0]]).argmax()]


def compact(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices in use (sorted) and the faces renumbered to them."""
    used, new = np.unique(faces, return_inverse=True)
    return used, new.reshape(faces.shape).astype(np.int32)


def border(faces: np.ndarray) -> np.ndarray:
    """Indices of the vertices on an open edge."""
    pairs = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, times = np.unique(pairs, axis=0, return_counts=True)
    return np.unique(unique[times == 1])


def flatten(
    vertices: np.ndarray,
    faces: np.ndarray,
    start: np.ndarray,
    *,
    pins: np.ndarray | None = None,
    pull: np.ndarray | None = None,
    iterations: int = 30,
) -> np.ndarray:
    """Lay a surface flat with as little stretching as possible (as rigid as possible, Sorkine and Alexa 2007;
    in the plane, Liu et al. 2008).

    Args:
        vertices: (V, 3) of the surface, all in use.
        faces: (F, 3), every triangle seen from the same side.
        start: (V, 2) first guess, near the answer; pins and pulls aim at these positions.
        pins: indices that stay at ``start`` exactly.
        pull: (V,) weight, 0 or more, with which a vertex is drawn to ``start``.
        iterations: local-global rounds.

    Returns:
        (V, 2) positions.
    """
    n = len(vertices)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    one, two = b - a, c - a
    length = np.linalg.norm(one, axis=1)
    along = one / np.maximum(length, 1e-9)[:, None]
    normal = np.cross(one, two)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    up = np.cross(normal, along)
    flat = np.zeros((len(faces), 3, 2))
    flat[:, 1, 0] = length
    flat[:, 2] = np.stack([(two * along).sum(1), (two * up).sum(1)], 1)
    p, q = start[faces[:, 1]] - start[faces[:, 0]], start[faces[:, 2]] - start[faces[:, 0]]
    if (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() < 0:
        flat[:, :, 1] *= -1  # the panel is seen from its inside
    weights = []
    for k in range(3):
        s, t = flat[:, k] - flat[:, (k + 2) % 3], flat[:, (k + 1) % 3] - flat[:, (k + 2) % 3]
        area = np.abs(s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0])
        weights.append(np.clip((s * t).sum(1) / np.maximum(area, 1e-9), 0.05, 10))
    i = np.concatenate([faces[:, k] for k in range(3)])
    j = np.concatenate([faces[:, (k + 1) % 3] for k in range(3)])
    w = np.concatenate(weights)
    stiffness = sp.csr_matrix((np.concatenate([-w, -w]), (np.concatenate([i, j]), np.concatenate([j, i]))), (n, n))
    draw = np.full(n, 1e-7) if pull is None else np.maximum(pull, 1e-7)
    stiffness = stiffness - sp.diags(np.asarray(stiffness.sum(1)).ravel()) + sp.diags(draw)
    free = np.ones(n, bool)
    if pins is not None:
        free[pins] = False
    inner = sla.splu(stiffness[free][:, free].tocsc())
    coupling = stiffness[free][:, ~free]
    position = np.array(start, np.float64)
    for _ in range(iterations):
        covariance = np.zeros((len(faces), 2, 2))
        for k in range(3):
            d = position[faces[:, k]] - position[faces[:, (k + 1) % 3]]
            e = flat[:, k] - flat[:, (k + 1) % 3]
            covariance += weights[k][:, None, None] * np.einsum("ni,nj->nij", d, e)
        # the rotation nearest to a 2x2 matrix, in closed form
        cosine = covariance[:, 0, 0] + covariance[:, 1, 1]
        sine = covariance[:, 1, 0] - covariance[:, 0, 1]
        norm = np.maximum(np.hypot(cosine, sine), 1e-12)
        cosine, sine = cosine / norm, sine / norm
        right = start * draw[:, None]
        for k in range(3):
            e = (flat[:, k] - flat[:, (k + 1) % 3]) * weights[k][:, None]
            turned = np.stack([cosine * e[:, 0] - sine * e[:, 1], sine * e[:, 0] + cosine * e[:, 1]], 1)
            for axis in range(2):
                right[:, axis] += np.bincount(faces[:, k], turned[:, axis], n)
                right[:, axis] -= np.bincount(faces[:, (k + 1) % 3], turned[:, axis], n)
        right = right[free] - coupling @ position[~free]
        position[free] = np.stack([inner.solve(right[:, axis]) for axis in range(2)], 1)
    return position
