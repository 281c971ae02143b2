"""Weights between a base and what was tuned from it (Wortsman et al. 2021, arXiv:2109.01903)."""

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from finetune_api.plugin import PluginInputs


def interpolate(inputs: PluginInputs, alpha: float) -> float:
    """Writes the model (1 - alpha) · base + alpha · tuned, computed in float32, stored in the base's type.

    Returns how far its weights are from the base's: the norm of the change over the norm of the base.
    """
    how = {"trust_remote_code": inputs.trust_remote_code, "local_files_only": True}
    model = AutoModelForCausalLM.from_pretrained(inputs.base, dtype="auto", **how)
    stored = model.dtype
    model = model.float()
    base = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    tuned = PeftModel.from_pretrained(model, inputs.source).merge_and_unload(safe_merge=True)
    change = norm = 0.0
    with torch.no_grad():
        for step, (name, weight) in enumerate(tuned.named_parameters(), start=1):
            weight.copy_(torch.lerp(base[name], weight, alpha))
            change += float((weight - base[name]).square().sum())
            norm += float(base[name].square().sum())
            inputs.report(step=step, total_steps=len(base))
    tuned.to(stored).save_pretrained(inputs.output)
    return (change / norm) ** 0.5
